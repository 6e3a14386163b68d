"""The commands that read a run's records: show, verify and replay."""

from functools import partial
from pathlib import Path
from typing import Annotated

import typer

from distsearch.cli.lookup import stored as stored_run
from distsearch.cli.options import FILE, JsonOption, OwnDataOption, RunArgument, RunsOption, numeric
from distsearch.cli.output import check_output, new_console, print_columns, print_json, print_parts, say, write
from distsearch.errors import UserError, brief
from distsearch.text import expanded

DIFFERENT_EXIT_CODE = 1


def verify(
    run: RunArgument,
    rounds: Annotated[
        str, typer.Option(metavar="N", help="How many rounds, drawn at random, to evaluate again; or all.")
    ] = "16",
    workers: Annotated[int, typer.Option(**numeric(int, 0), help="Ray workers; 0: in this process.")] = 0,
    data: OwnDataOption = "",
    json: JsonOption = False,
    runs: RunsOption = "runs",
) -> None:
    """Check that a run reproduces bit for bit: all of its decisions, and its losses in a sample of its rounds."""
    from distsearch.cli.progress import steps_shown
    from distsearch.cli.tables import verdict_lines
    from distsearch.search import resumption, verification
    from distsearch.search.retrieval import Handed, own_assembly

    if rounds != "all" and not rounds.isdecimal():
        raise UserError(f"--rounds: expected a number or all, got {brief(rounds)}")
    stored = stored_run(run, runs)
    if other := resumption.other_machine(stored):
        say(other)
    recorded = sum(1 for _ in stored.history())
    digits = rounds.lstrip("0") or "0"  # Python refuses to parse a number of 5,000 digits
    every = rounds == "all" or len(digits) > len(str(recorded))
    chosen = range(recorded) if every else verification.sample(recorded, int(digits))
    with steps_shown(new_console(stderr=True), "verifying", recorded) as progress:
        again = verification.Replay(stored)
        assembly = own_assembly(stored, workers, Handed(expanded(data)))
        verdict = verification.verify(again, assembly, chosen, progress)
    if json:
        print_json(verdict)
    else:
        print_parts(*verdict_lines(verdict))
    if verdict.differences:
        raise typer.Exit(DIFFERENT_EXIT_CODE)


def replay(
    run: RunArgument,
    to: Annotated[Path, typer.Option("--to", help="File to write the best weights to.", **FILE)],
    runs: RunsOption = "runs",
) -> None:
    """Recompute a run's best weights from its seed and history: these two are enough."""
    from distsearch.search import verification

    check_output(to)
    write(to, verification.replay(stored_run(run, runs)))
    say(f"the best weights of {run}, recomputed from its seed and history, are in {to}")


def show(run: RunArgument, runs: RunsOption = "runs", json: JsonOption = False) -> None:
    """Show what happened in a run."""
    from distsearch.cli.tables import frozen_lines, history_lines, network_table, result_table, settings_line
    from distsearch.data.schema import Schema
    from distsearch.objectives.model import network_for
    from distsearch.runs.summaries import is_running

    stored = stored_run(run, runs)
    history = list(stored.history())
    schema = Schema.from_json(stored.manifest.data) if stored.manifest.data else None
    layers = network_for(stored.config.network, schema).described() if schema else []
    if json:
        print_json(
            {
                "run": stored.path.name,
                "config": stored.config,
                "manifest": stored.manifest,
                "network": [layer._asdict() for layer in layers],
                "result": stored.result,
                "history": history,
            }
        )
        return
    result = stored.result
    strategy, count = stored.config.strategy, stored.manifest.weights
    of_function = f"a function of {count:,} weights, {strategy.name}, seed {strategy.seed}"
    print_parts(settings_line(stored.config) if schema else of_function, "")
    if schema:
        print_parts(network_table(schema.shape or (len(schema.inputs),), layers))
        print_parts(*frozen_lines(stored.manifest.frozen), "")
    if history:
        print_columns(partial(history_lines, history, of_function=schema is None))
        print_parts("")
    if result:
        print_parts(result_table(result, of_function=schema is None))
    elif is_running(stored.path):
        print_parts("The search is running.")
    else:
        print_parts(f"The search was killed, or failed: `distsearch resume {stored.path.name}` continues it.")
