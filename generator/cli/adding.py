"""The command `add`."""

from __future__ import annotations

from typing import Any

import click

from generator.cli.options import Count, environment_option, examples, project_of
from generator.cli.printing import echo, print_diff, relative, say


@click.command(
    epilog=examples(
        "add qwen3-32b",
        "add tiiuae/Falcon3-7B-Instruct",
        "add ./checkpoints/my-model --family my-models",
        "add config.json --id my-model",
    )
)
@click.argument("reference", metavar="NAME|HUB-ID|FOLDER|CONFIG.JSON")
@click.option("--family", help="Family, and so the catalog file; by default from the model's name.")
@click.option("--id", "model_id", help="The model's id; by default from its name.")
@click.option("--served-model-name", help="What clients name it, such as Qwen/Qwen3-8B; by default its id.")
@click.option(
    "--source",
    help="Where the engine finds the weights, when that is not the reference (a bucket, a path in the image).",
)
@click.option("--revision", help="Branch, tag or commit of a hub id; written as a commit.")
@click.option("--context", type=Count(), help="Tokens that users need; by default 8192, or the model's.")
@click.option("--sequences", type=Count(), help="Requests at once of one replica; by default 64.")
@environment_option("Serve it there: its family or the model is written below `serve:`.")
@click.option("--replace", is_flag=True, help="Put it in the place of another model with the same id.")
@click.option("--dry-run", is_flag=True, help="Print what would change, write nothing.")
@click.pass_context
def add(ctx: click.Context, /, reference: str, dry_run: bool, **options: Any) -> None:
    """Add a model to the catalog, by its name in the library, or from its own config.json and safetensors headers.

    Then the values of every environment that serves its family are generated. `list library` shows the names. A hub id
    that is not the library's, or has a --revision, needs the network (HF_TOKEN for gated models); the rest does not.
    """
    from generator.cli.plan_report import model_line
    from generator.documents.files import write_files
    from generator.project.add import add_model
    from generator.project.release import upgrade_line

    project = project_of(ctx)
    added = add_model(project, reference, report=say, **options)
    for note in added.notes:
        say(f"note: {note}", fg="yellow")
    if dry_run:
        print_diff(added.generated)
    changed = added.generated.changed()
    if not dry_run:
        write_files(changed, remove=added.generated.stale)
    verb = "would be" if dry_run else "is"
    echo(f"{relative(added.path)}   {'+' if added.new else '~'} {added.model_id}  ({added.summary})")
    for environment, parts in added.plans.items():
        for part in parts:
            echo(f"{relative(project.values_path(environment, added.family))}   {model_line(part)}")
    told = {added.path, *(project.values_path(environment, added.family) for environment in added.plans)}
    for path in [path for path in changed if path not in told]:
        echo(f"{relative(path)}   {'would change' if dry_run else 'changed'} with it")
    if not added.plans:
        say(f"no environment serves {added.model_id} yet: give --environment too, or write it below `serve:` of one")
    for environment in added.plans:
        say(
            f"next ({added.family} {verb} in the values of {environment}): "
            f"{upgrade_line(project, environment, added.family)}"
        )
