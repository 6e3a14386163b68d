"""Ready callbacks for `distsearch.search` and `distsearch.minimize`: what shows, ends and tracks a search.

    from distsearch.callbacks import EarlyStopping, MLflow

    distsearch.search(X, y, callbacks=[EarlyStopping(patience=50), MLflow("http://localhost:5000")])

Your own is a function of a round's record, or an object with any of the methods of `Observer`.
"""

from distsearch.api.early_stopping import EarlyStopping
from distsearch.api.progress import Progress
from distsearch.search.observers import Observer, Opened, Round
from distsearch.trackers.base import Tracker
from distsearch.trackers.mlflow import MLflow
from distsearch.trackers.tensorboard import TensorBoard
from distsearch.trackers.wandb import WandB

__all__ = ["EarlyStopping", "MLflow", "Observer", "Opened", "Progress", "Round", "TensorBoard", "Tracker", "WandB"]
