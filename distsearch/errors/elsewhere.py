"""What other programs call our settings, and what they have that is not here: for whoever types it out of habit."""

CALLED: dict[str, str] = {
    theirs: ours
    for ours, many in {
        "rounds": "epochs n_epochs num_epochs nb_epochs iterations n_iter n_iterations num_iterations max_iter maxiter "
        "max_iterations generations n_generations num_generations steps n_steps num_steps max_steps",
        "evaluations": "max_evals maxfun maxfev budget n_evaluations max_fevals nfev n_calls n_trials",
        "seconds": "timeout max_time time_limit max_seconds time_budget maxtime",
        "rate": "lr learning_rate learning_rate_init eta",
        "decay": "weight_decay l2 regularization",
        "sigma": "sigma0 step_size stepsize stdev std_dev noise noise_std init_sigma stdev_init mutation_power",
        "population": "popsize pop_size population_size n_population num_candidates n_candidates",
        "batch": "batch_size minibatch minibatch_size",
        "strategy": "algorithm algo method solver",
        "layers": "hidden hidden_layers hidden_size hidden_sizes hidden_layer_sizes n_hidden hidden_units neurons "
        "units",
        "activation": "activations activation_function activation_fn",
        "loss": "criterion loss_fn loss_function objective",
        "metrics": "metric scoring",
        "data": "dataset file train_data",
        "target": "label labels target_column label_column",
        "scale": "scaler standardize standardise normalize normalise",
        "test-share": "test_size test_split test_fraction",
        "validation-share": "validation validation_split validation_fraction validation_size val_split val_size",
        "patience": "n_iter_no_change early_stopping_rounds",
        "target-loss": "ftarget stop_loss stop_fitness loss_target",
        "workers": "jobs n_jobs num_jobs num_workers n_workers n_processes num_processes processes threads cores",
        "seed": "random_state random_seed rng",
        "start": "init x0 initial_weights init_weights w0 warm_start weights_init",
        "model": "net module",
        "precision": "dtype",
        "subject-to": "constraint constraints",
        "track": "tracker logger",
        "name": "run_name experiment experiment_name",
        "runs": "folder directory dir output_dir outdir out out_dir log_dir logdir save_dir workdir",
    }.items()
    for theirs in many.split()
}
"""Our flags, by what others call them; a value means the same."""

_ENDS = "a search ends by --rounds, --seconds, --evaluations, --target-loss or --patience, whichever comes first"
_ON_GPU = "only a torch module (--model) computes on a GPU, with --device cuda; layers use CPU cores"
_NO_GRADIENT = "no gradient is needed; leave it out"
_NO_BOUNDS = "weights have no bounds; map them into yours, as low + (high - low) * sigmoid(weights) does"
_KEPT = "--runs is the folder that holds all runs, and --name this one's"

ABSENT: dict[str, str] = {
    **dict.fromkeys(("tol", "ftol", "xtol", "gtol", "atol", "rtol", "tolx", "tolfun"), _ENDS),
    "early_stopping": "--patience, a number of rounds, ends a search that gets no better",
    **dict.fromkeys(("gpu", "cuda", "use_gpu"), _ON_GPU),
    **dict.fromkeys(("jac", "hess", "grad", "gradient"), _NO_GRADIENT),
    **dict.fromkeys(("bounds", "lower_bounds", "upper_bounds", "lb", "ub"), _NO_BOUNDS),
    **dict.fromkeys(("path", "save_path", "save_to", "checkpoint", "checkpoints", "checkpoint_path"), _KEPT),
    "dropout": "there is none; leave it out",
    "momentum": "the optimizer adam has its own; leave it out",
    "shuffle": "examples are always drawn at random, by --seed and --data-seed; leave it out",
    "stratify": "shares of labelled examples always have their part of every class; leave it out",
    **dict.fromkeys(("maximize", "maximise", "direction"), "losses are made as low as possible; return the negative"),
}
"""What to do instead of giving a setting that we have nothing for."""
