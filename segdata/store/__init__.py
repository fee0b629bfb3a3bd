"""Object stores: locations as local path or URL, and copying files to and from a store."""
