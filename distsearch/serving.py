"""Serves a model over HTTP by Ray Serve: `distsearch guide export` shows how.

from distsearch.serving import on_loopback

with on_loopback(port=8000):
    serve.run(Flowers.bind())
"""

from distsearch.workers.ray.serving import on_loopback

__all__ = ["on_loopback"]
