"""Where files lie: folders, archives, servers, shards. Names in, bytes out. Must not know pictures."""
