"""A tracker of a user's own."""

from distsearch.search.observers import Observer


class Own(Observer):
    def __init__(self, place: str) -> None:
        self.place = place
