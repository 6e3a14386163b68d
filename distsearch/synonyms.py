"""What other programs and libraries call our settings, and what of theirs there is not."""

ON_GPU = "only a torch module (--model) computes on a GPU, with --device cuda; layers use CPU cores"
SYNONYMS = {
    **dict.fromkeys(("epochs", "n_epochs", "num_epochs", "iterations", "n_iter", "steps"), "rounds"),
    **dict.fromkeys(("max_iter", "maxiter", "generations", "num_generations"), "rounds"),
    **dict.fromkeys(("max_evals", "maxfun", "maxfev", "budget", "n_trials"), "evaluations"),
    **dict.fromkeys(("timeout", "max_time"), "seconds"),
    **dict.fromkeys(("early_stopping", "early_stopping_rounds", "n_iter_no_change"), "patience"),
    **dict.fromkeys(("lr", "learning_rate", "learning_rate_init"), "rate"),
    **dict.fromkeys(("sigma0", "std", "stdev", "stdev_init", "step_size", "noise"), "sigma"),
    **dict.fromkeys(("popsize", "pop_size", "population_size"), "population"),
    **dict.fromkeys(("hidden", "hidden_layers", "hidden_size", "hidden_sizes", "hidden_layer_sizes"), "layers"),
    **dict.fromkeys(("neurons", "units"), "layers"),
    **dict.fromkeys(("dataset", "file"), "data"),
    **dict.fromkeys(("label", "labels"), "target"),
    **dict.fromkeys(("algorithm", "method"), "strategy"),
    **dict.fromkeys(("jobs", "n_jobs", "num_workers", "threads"), "workers"),
    **dict.fromkeys(("test_size", "test_split"), "test-share"),
    **dict.fromkeys(("validation", "validation_split", "validation_fraction", "val_split"), "validation-share"),
    **dict.fromkeys(("standardize", "standardise", "normalize"), "scale"),
    **dict.fromkeys(("random_state", "random_seed"), "seed"),
    **dict.fromkeys(("init", "initial_weights", "x0"), "start"),
    **dict.fromkeys(("output_dir", "out"), "runs"),
    "activations": "activation",
    "batch_size": "batch",
    "constraints": "subject-to",
    "criterion": "loss",
    "ftarget": "target-loss",
    "metric": "metrics",
    "weight_decay": "decay",
}
"""Our flags, by others' names, which are written with underscores."""
WITHOUT = {
    "gpu": ON_GPU,
    "cuda": ON_GPU,
    "dropout": "there is none; leave it out",
    "momentum": "the optimizer adam has its own; leave it out",
    "shuffle": "examples are always drawn at random, by --seed and --data-seed; leave it out",
    "tol": "a search ends by --target-loss, --patience, --rounds or --seconds; choose one of them",
    "bounds": "weights have none: let the function map them into its, as low + (high - low) * sigmoid(weights) does",
    "args": "let the function take the weights alone, as functools.partial(function, …) does",
    "maximize": "the lowest loss is looked for: return minus the value",
    "direction": "the lowest loss is looked for: return minus the value",
    "jac": "no gradient is used; leave it out",
}
"""What to do without a setting that others have, by their names."""


def flag_of(name: str) -> str:
    """A name as an option of the command line: --batch-size for batch_size."""
    return f"--{name.replace('_', '-')}"
