"""Files of examples, each format read into the same `Raw`."""
