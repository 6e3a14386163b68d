"""A custom tracker, as a user would write one."""

from distsearch.search.observers import Observer


class Own(Observer):
    def __init__(self, place: str) -> None:
        self.place = place
