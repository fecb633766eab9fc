"""The `voicebot` command: one file per command group, put together here."""

from __future__ import annotations

import os
import sys

import typer
from rich.console import Console
from rich.markup import escape

import voicebot
from voicebot.cli.backup import backup, restore
from voicebot.cli.bench import bench
from voicebot.cli.call import call
from voicebot.cli.calls import calls_app
from voicebot.cli.campaign import campaign_app
from voicebot.cli.campaign_report import report
from voicebot.cli.chat import chat
from voicebot.cli.demo import demo
from voicebot.cli.dnc import dnc_app
from voicebot.cli.doctor import doctor
from voicebot.cli.feedback import feedback_app
from voicebot.cli.keys import keys_app
from voicebot.cli.learn import learn_app
from voicebot.cli.lexicon import lexicon_app
from voicebot.cli.model_versions import versions_app
from voicebot.cli.outcomes import outcomes
from voicebot.cli.playbook import playbook_app
from voicebot.cli.prompts import prompts_app
from voicebot.cli.say import say
from voicebot.cli.serve import serve
from voicebot.cli.simulate import simulate
from voicebot.cli.subject import subject_app
from voicebot.cli.top import top
from voicebot.cli.train import train_app
from voicebot.cli.train_endpoint import endpoint
from voicebot.cli.trunk import trunk_app
from voicebot.cli.understand import understand
from voicebot.cli.user import user_app
from voicebot.cli.webhook import webhook_app
from voicebot.cli.workers import workers
from voicebot.domain.errors import VoicebotError

app = typer.Typer(
    help="An outbound-calling voicebot for Mandarin. 智能外呼机器人。",
    no_args_is_help=True,
    rich_markup_mode="rich",
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)
app.command()(demo)
app.command()(serve)
app.command()(simulate)

app.command()(call)
app.command()(chat)
app.command()(outcomes)
app.command()(understand)
app.add_typer(calls_app, name="calls")
campaign_app.command()(report)
app.add_typer(campaign_app, name="campaign")
app.add_typer(trunk_app, name="trunk")
app.add_typer(dnc_app, name="dnc")
app.add_typer(subject_app, name="subject")
app.add_typer(keys_app, name="keys")
app.add_typer(lexicon_app, name="lexicon")
app.add_typer(versions_app, name="models")
app.add_typer(feedback_app, name="feedback")
app.add_typer(learn_app, name="learn")
app.add_typer(playbook_app, name="playbook")
app.add_typer(prompts_app, name="prompts")
app.add_typer(user_app, name="user")
app.add_typer(webhook_app, name="webhook")
train_app.command()(endpoint)
app.add_typer(train_app, name="train")
app.command()(say)
app.command()(bench)
app.command()(doctor)
app.command()(workers)
app.command()(top)
app.command()(backup)
app.command()(restore)


def _version(wanted: bool) -> None:
    if wanted:
        print(voicebot.__version__)
        raise typer.Exit


@app.callback()
def _options(
    version: bool = typer.Option(
        False, "--version", callback=_version, is_eager=True, help="Print the version."
    ),
) -> None:
    pass


def main() -> None:
    """Run the command line; a known error becomes two clear lines and exit status 1."""
    try:
        app(prog_name="voicebot")
    except VoicebotError as error:
        if os.environ.get("VOICEBOT_LOG_LEVEL") == "debug":
            raise
        console = Console(stderr=True)
        console.print(f"[bold red]error[/bold red] {escape(str(error))}", highlight=False)
        if error.hint:
            console.print(f"[bold]what to do[/bold] {escape(error.hint)}", highlight=False)
        sys.exit(1)


if __name__ == "__main__":
    main()
