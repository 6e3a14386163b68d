"""The commands for a Ray cluster: send a search there, follow it, stop it, fetch its run."""

import os
import time
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from distsearch.cli.completion import RUNS_VARIABLE
from distsearch.cli.ending import INTERRUPTED_EXIT_CODE
from distsearch.cli.options import FILE, JsonOption, RunArgument, RunsOption
from distsearch.cli.output import print_json, print_parts, print_text, say
from distsearch.errors import ClusterError, RunError, UserError
from distsearch.text import as_path

if TYPE_CHECKING:
    from distsearch.jobs.cluster import Cluster, Job

AddressOption = Annotated[
    str,
    typer.Option(
        "--address",
        help="Cluster's dashboard; by default RAY_API_SERVER_ADDRESS, RAY_ADDRESS or http://127.0.0.1:8265.",
        metavar="URL",
        show_default=False,
    ),
]
TokenOption = Annotated[
    Path | None,
    typer.Option(
        "--token-file",
        help="File with the cluster's token; by default RAY_AUTH_TOKEN_PATH or ~/.ray/auth_token.",
        show_default=False,
        **FILE,
    ),
]
JobArgument = Annotated[str, typer.Argument(help="A job's id, or its run's name.", metavar="JOB")]


def submit(
    context: typer.Context,
    arguments: Annotated[
        list[str], typer.Argument(help="The search, with its options.", metavar="run … | resume …", show_default=False)
    ],
    address: AddressOption = "",
    token_file: TokenOption = None,
    wait: Annotated[bool, typer.Option("--wait/--no-wait", help="Follow the job, or only print its id.")] = True,
    job: Annotated[str, typer.Option(help="Id of the job; from its run's name if not given.", metavar="ID")] = "",
    add: Annotated[list[Path] | None, typer.Option("--add", help="An additional file to send along.", **FILE)] = None,
    files: Annotated[
        bool, typer.Option("--files/--no-files", help="Send local files, or treat their paths as ones on the cluster.")
    ] = True,
) -> None:
    """Send a search to a Ray cluster as a job, and follow it: distsearch submit -- run --data digits."""
    from distsearch.cli.submitted import search_of
    from distsearch.jobs.following import wait_out_start
    from distsearch.jobs.submission import submit as send

    search = search_of(context.find_root(), arguments, add or [], files)
    cluster = _cluster(address, token_file)
    _compare_versions(cluster)
    try:
        sent = send(cluster, search, job)
    except KeyboardInterrupt:
        say("\ninterrupted: `distsearch jobs` shows whether the job was created")
        raise typer.Exit(INTERRUPTED_EXIT_CODE) from None
    if wait:
        say(f"job {sent.id} at {cluster.address}")
        _follow(cluster, sent.id)
        return
    sent = wait_out_start(cluster, sent)
    if sent.ended and sent.status != "SUCCEEDED":
        print_text(cluster.log(sent.id))
        _end_as(sent)
    print_text(f"{sent.id}\n")


def list_jobs(address: AddressOption = "", token_file: TokenOption = None, json: JsonOption = False) -> None:
    """List the searches on a Ray cluster, oldest first."""
    from distsearch.cli.progress import reached
    from distsearch.cli.tables import job_document, jobs_table

    cluster = _cluster(address, token_file)
    jobs = [(job, reached(cluster.log(job.id))) for job in cluster.jobs()]
    if json:
        print_json([job_document(job, progress) for job, progress in jobs])
    elif jobs:
        print_parts(jobs_table(jobs, time.time()))
    else:
        say(f"no searches at {cluster.address}: `distsearch submit -- run` sends one")


def logs(
    job: JobArgument,
    follow: Annotated[bool, typer.Option("--follow", "-f", help="Keep printing until the job has ended.")] = False,
    address: AddressOption = "",
    token_file: TokenOption = None,
) -> None:
    """Print the output of a search on a Ray cluster."""
    cluster = _cluster(address, token_file)
    found = cluster.find(job)
    if follow:
        _follow(cluster, found.id)
    else:
        print_text(cluster.log(found.id))


def stop(job: JobArgument, address: AddressOption = "", token_file: TokenOption = None) -> None:
    """Stop a search on a Ray cluster; it ends with a checkpoint."""
    from distsearch.cli.progress import reached
    from distsearch.jobs.following import wait_until_ended

    cluster = _cluster(address, token_file)
    found = cluster.find(job)
    if found.ended:
        say(f"job {found.id} has already ended: {found.status.lower()}")
        return
    cluster.stop(found.id)
    done = wait_until_ended(cluster, found.id)
    progress = reached(cluster.log(found.id))
    rounds = f" after {progress.rounds:,} rounds, loss {progress.loss:.4g}" if progress else ""
    say(f"job {done.id}: {done.status.lower()}{rounds}")
    if done.run and done.status == "STOPPED" and progress:
        say(f"`distsearch submit -- resume {done.run}` continues it")


def fetch(
    job: JobArgument,
    to: Annotated[
        Path,
        typer.Option("--to", help="Folder to fetch it to.", envvar=RUNS_VARIABLE, parser=as_path, metavar="FOLDER"),
    ] = Path("runs"),
    address: AddressOption = "",
    token_file: TokenOption = None,
) -> None:
    """Fetch the run of a job on a Ray cluster; of a running job, its progress so far."""
    from distsearch.jobs.submission import fetch as fetch_run

    cluster = _cluster(address, token_file)
    found = cluster.find(job)
    if not found.run:
        raise UserError(f"job {found.id} was not sent by `distsearch submit`, so its run is unknown")
    path = fetch_run(cluster, found, to)
    say(f"fetched {path}" + ("" if found.ended else ", with the progress so far; its job is still running"))


def pack(run: RunArgument, runs: RunsOption = "runs") -> None:
    """Print a run's directory as text, for `fetch`."""
    from distsearch.jobs import archive

    path = as_path(runs) / run
    if not path.is_dir():
        raise RunError(f"{path} does not exist")
    print_text(archive.pack(path))


def _cluster(address: str, token_file: Path | None) -> "Cluster":
    from distsearch.jobs.access import Access
    from distsearch.jobs.cluster import Cluster

    return Cluster(Access.of(address, token_file, os.environ))


def _compare_versions(cluster: "Cluster") -> None:
    """Report a Ray version on the cluster that differs from ours, which need not matter."""
    from importlib.metadata import version

    if cluster.version != (here := version("ray")):
        say(f"the cluster has Ray {cluster.version}, this machine {here}: the search uses the cluster's")


def _follow(cluster: "Cluster", job: str) -> None:
    """Print a job's output until it has ended, then exit as it did."""
    from distsearch.jobs.following import follow

    try:
        done = follow(cluster, job, print_text)
    except KeyboardInterrupt:
        say(
            f"\njob {job} is still running: `distsearch logs {job} --follow` follows it, "
            f"`distsearch stop {job}` stops it with a checkpoint"
        )
        raise typer.Exit(INTERRUPTED_EXIT_CODE) from None
    _end_as(done)


def _end_as(job: "Job") -> None:
    """Exit as an ended job did: with its program's code, or 130 if it was stopped."""
    if job.status == "STOPPED":
        say(f"job {job.id} was stopped")
        raise typer.Exit(INTERRUPTED_EXIT_CODE)
    if job.exit_code is None and job.status == "FAILED":
        raise ClusterError(f"job {job.id} failed: {_why(job)}")
    raise typer.Exit(job.exit_code or 0)


def _why(job: "Job") -> str:
    """A clause on why a job never began, with the cause if it is known."""
    if "requires a different Python" in job.message:
        return "the cluster's Python is older than 3.11, which distsearch needs"
    if "runtime_env" in job.message:
        return f"the cluster could not install distsearch and its dependencies ({job.reason})"
    return job.reason
