"""Record sets: MindRecord shards with a manifest."""
