"""The sections of a configuration: what may be set, with what it means, its defaults and its limits."""

from typing import Annotated

from msgspec import Meta

from distsearch.settings import AUTO, Settings, about

DEFAULT_ROUNDS = 1000


class DataConfig(Settings, frozen=True):
    """The training data."""

    source: Annotated[
        str,
        about(
            "vertical or spiral (built in); digits, iris, wine or breast-cancer (with scikit-learn); "
            "or a CSV, TSV, Excel, Parquet, Arrow, JSON Lines, NPZ or IDX file, or a folder of Parquet parts, of IDX "
            "files or of pictures by class; - is standard input",
            flag="data",
            path=True,
        ),
    ] = "vertical"
    reader: Annotated[
        str,
        about(
            "reader of the file: csv, tsv, xlsx, parquet, arrow, jsonl, npz, idx or png, or one of your own; by file "
            "suffix if empty"
        ),
    ] = ""
    target: Annotated[
        str, about("target column of a table, or several separated by commas; its last column if empty")
    ] = ""
    class_weight: Annotated[
        tuple[str, ...],
        about(
            "weight of each class in the loss: balanced (inverse to its number of examples), or label:weight,… (1 for "
            "labels not named)"
        ),
    ] = ()
    weight_column: Annotated[str, about("column that holds the weight of each row in the loss; none if empty")] = ""
    features: Annotated[tuple[str, ...], about("columns to learn from; if empty, all without another role")] = ()
    drop: Annotated[tuple[str, ...], about("columns to leave out")] = ()
    id: Annotated[tuple[str, ...], about("columns that identify rows: not learnt from, kept beside predictions")] = ()
    missing: Annotated[
        str,
        about(
            "missing features: impute (median or most frequent value, plus an input that marks it), drop (the "
            "example, also if its target is missing) or refuse",
            choices=("impute", "drop", "refuse"),
        ),
    ] = "impute"
    dates: Annotated[
        str,
        about(
            "columns of dates: days (since 1970) or parts (year, month, day, weekday, hour); refused if empty",
            choices=("", "days", "parts"),
        ),
    ] = ""
    scale: Annotated[
        str,
        about(
            "standardise features and regression targets by their training mean and deviation: yes, no, or auto (if "
            "they are far from unit scale)",
            choices=(AUTO, "yes", "no"),
        ),
    ] = AUTO
    test_share: Annotated[float, about("share of the examples set aside for testing", at_least=0, below=1)] = 0.0
    validation_share: (
        Annotated[
            float,
            about(
                "share set aside for validation: it chooses the best weights, and patience counts it; if not set, .1 "
                "of data of your own with 1,000 examples or more",
                at_least=0,
                below=1,
            ),
        ]
        | None
    ) = None
    group: Annotated[str, about("column of groups, each set aside as a whole; not learnt from")] = ""
    time: Annotated[str, about("column of times: the latest examples are set aside; not learnt from")] = ""
    batch: (
        Annotated[int, about("examples per round; if not set, the strategy's preference, usually all", at_least=1)]
        | None
    ) = None
    shape: (
        Annotated[
            tuple[Annotated[int, Meta(ge=1)], ...],
            about("height, width and channels of images, if the source lacks them, such as 28,28,1"),
        ]
        | None
    ) = None
    input_bits: (
        Annotated[
            int,
            about("round features to 2^bits steps between zero and the largest feature", at_least=1, at_most=16),
        ]
        | None
    ) = None
    points: Annotated[int, about("vertical, spiral: points per class", unit="examples", at_least=2)] = 100
    classes: Annotated[int, about("vertical, spiral: number of classes", at_least=2)] = 3
    seed: Annotated[int, about("seed for the built-in data and the split", flag="data-seed", at_least=0)] = 0


class NetworkConfig(Settings, frozen=True):
    """The network to train."""

    model: Annotated[
        str,
        about("torch module in the place of layers: package.module:name of a class, or of a function that returns one"),
    ] = ""
    trainable: Annotated[tuple[str, ...], about("names of the model's parameters to search, such as head.*")] = ()
    device: Annotated[
        str,
        about(
            "what the model computes on: cpu, cuda (a GPU), or auto: a GPU if there is one",
            choices=("cpu", "cuda", AUTO),
        ),
    ] = "cpu"
    layers: Annotated[
        tuple[Annotated[int, Meta(ge=1)] | str, ...],
        about(
            "hidden layers, in order: numbers of neurons, or words such as conv16x5, pool2, layernorm, "
            "res(conv16x3,conv16x3), r64 (recurrent, of lif), moe4(64) or attention8"
        ),
    ] = (3,)
    activation: Annotated[
        tuple[str, ...],
        about(
            "activation of the hidden layers, one for each or one for all: relu, leaky-relu, gelu, tanh, hard-tanh, "
            "sigmoid, step, sign, staircase, quantized-relu, linear, or lif: neurons that leak, integrate and fire",
            fewest=1,
        ),
    ] = ("relu",)
    levels: Annotated[int, about("levels of the activations staircase and quantized-relu", at_least=2)] = 5
    precision: Annotated[
        tuple[str, ...],
        about(
            "precision of the weights in the forward pass, one for each layer (output layer last) or one for all: "
            "float32, int8, ternary or binary; of a model's forward passes: float32 or bfloat16",
            fewest=1,
        ),
    ] = ("float32",)
    start: (
        Annotated[
            str,
            about(
                "initial weights: course (0.01 × normal), he, glorot, a run or .safetensors file; if not set, course; "
                "with several hidden layers, few bits or lif, he (glorot for tanh and sigmoid)"
            ),
        ]
        | None
    ) = None
    loss: Annotated[
        str,
        about(
            "cross-entropy, mean-squared-error, f1, … (all: distsearch guide metrics), or module:function; auto "
            "depends on whether the targets are classes"
        ),
    ] = AUTO
    quantile: Annotated[float, about("pinball: the quantile to predict, such as 0.9", above=0, below=1)] | None = None
    delta: Annotated[float, about("huber: error above which it is linear; 1 if not set", above=0)] | None = None
    beta: Annotated[float, about("fbeta: weight of recall relative to precision; 2 if not set", above=0)] | None = None
    top: Annotated[int, about("top-k-error: number of guesses; if not set, 5 or fewer", at_least=1)] | None = None
    positive: Annotated[str, about("positive class of two; if not set, yes, 1 or the rarer one")] | None = None
    costs: (
        Annotated[
            str,
            about(
                "expected-cost: CSV of costs by true (rows) and predicted class, or columns no,yes of costs", path=True
            ),
        ]
        | None
    ) = None
    subject_to: Annotated[
        tuple[str, ...],
        about("constraints, such as recall>=0.9, or gap(COLUMN)<=0.02 between groups; repeatable", many=True),
    ] = ()
    time_steps: Annotated[int, about("lif: time steps", at_least=1)] = 15
    membrane_decay: Annotated[
        float, about("lif: share of its potential that a membrane keeps at each step", above=0, at_most=1)
    ] = 0.95
    threshold: Annotated[float, about("lif: potential at which a neuron spikes", above=0)] = 1.0
    reset: Annotated[str, about("lif: what a spike does to the potential: subtract the threshold, or zero")] = (
        "subtract"
    )
    encoding: Annotated[str, about("lif: input of the first layer: constant (a current) or rate (spikes)")] = "constant"
    readout: Annotated[str, about("lif: outputs: membrane (of neurons that do not spike) or counts (of spikes)")] = (
        "membrane"
    )


class StrategyConfig(Settings, frozen=True):
    """How to search for the weights."""

    name: Annotated[str, about("auto chooses one; `distsearch strategies` lists all", flag="strategy")] = "hill-climb"
    seed: Annotated[int, about("seed for all random numbers of the search", at_least=0)] = 0


class StopConfig(Settings, frozen=True):
    """When the search ends: at the first of these."""

    rounds: Annotated[int, about(f"{DEFAULT_ROUNDS} if no other limit is set", unit="rounds", at_least=1)] | None = None
    seconds: Annotated[float, about("time since the first round began", unit="seconds", above=0)] | None = None
    evaluations: (
        Annotated[
            int,
            about(
                "calls of the function, or forward passes over all training examples; the round that reaches them is "
                "the last",
                keyword="max_evaluations",
                at_least=1,
            ),
        ]
        | None
    ) = None
    target_loss: Annotated[float, about("best loss at or below this")] | None = None
    target_accuracy: (
        Annotated[float, about("accuracy at or above this, on the test split if there is one", above=0, at_most=1)]
        | None
    ) = None
    patience: (
        Annotated[
            int,
            about(
                "rounds in which the best loss does not fall by a thousandth; "
                "with --batch, --validation-share or --subject-to, and for node-perturbation, measurements instead",
                unit="rounds",
                at_least=1,
            ),
        ]
        | None
    ) = None


class WorkersConfig(Settings, frozen=True):
    """Where candidates are evaluated."""

    count: (
        Annotated[
            int,
            about(
                "Ray workers, one core each; all cores if not set; 0: in this process, without Ray",
                flag="workers",
                at_least=0,
            ),
        ]
        | None
    ) = None


class OutputConfig(Settings, frozen=True):
    """What is kept, and where."""

    name: Annotated[str, about("name of the run; generated if empty")] = ""
    directory: Annotated[str, about("folder that holds the runs", flag="runs", path=True)] = "runs"
    storage: Annotated[
        str,
        about(
            "folder or URI (s3://bucket/prefix, gs://…) to publish checkpoints and results to as well",
            path=True,
        ),
    ] = ""
    metrics: Annotated[
        tuple[str, ...],
        about("metrics to measure beside the loss, such as f1,auc (evaluate --help names all), or module:function"),
    ] = ()
    track: Annotated[
        tuple[str, ...],
        about(
            "trackers that receive settings, rounds and the model: mlflow, tensorboard or wandb, optionally with a "
            "colon and a URI, folder or project; or one of your own"
        ),
    ] = ()
    measure_every: (
        Annotated[
            int,
            about(
                "rounds between measurements of accuracy, and with --batch of the loss on all examples; if not set, "
                "10 (50 if they are very short), or with --batch as many as keep measuring within 5% of the time",
                unit="rounds",
                at_least=1,
            ),
        ]
        | None
    ) = None
    measure_first: (
        Annotated[
            int,
            about(
                "with --batch, round of the first measurement after round 1; each later one is at twice the round, "
                "until they are measure-every rounds apart; if not set, chosen together with it",
                unit="rounds",
                at_least=1,
            ),
        ]
        | None
    ) = None
