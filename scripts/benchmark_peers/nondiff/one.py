"""One search in its own process: reads its order as JSON from the first argument, writes its answer to the file in the
second.
"""

import importlib
import json
import os
import sys
import warnings
from pathlib import Path

from apart import end_with_parent


def main() -> None:
    end_with_parent(sys.argv[2])
    order = json.loads(sys.argv[1])
    if order["cores"]:  # torch uses as many threads as it has cores
        os.sched_setaffinity(0, order["cores"])
    warnings.simplefilter("ignore")
    search = importlib.import_module(order["runner"]).search
    Path(sys.argv[2]).write_text(json.dumps(search(order)), encoding="utf-8")


if __name__ == "__main__":
    main()
