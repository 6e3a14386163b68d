"""The race of torch modules: distsearch, the same networks as its own layers, and others who take modules."""
