"""Workers as Ray actors: the only room of the search that imports Ray."""
