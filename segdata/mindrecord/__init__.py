"""The MindRecord file format by itself: write shards and read them, without MindSpore."""
