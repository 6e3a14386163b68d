"""A package of somebody else's, with one of everything that distsearch takes by name."""
