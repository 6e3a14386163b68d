"""Where searches are shown elsewhere: observers that send settings, rounds and models to tracking services."""
