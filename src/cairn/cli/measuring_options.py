"""The flags that several measurements take: where to work, which photos, what is noted of them."""

from cairn.cli.flags import Option

WORK = Option(
    "--work", "keep what is made here, to be used again [a temporary folder]", value="DIR"
)
FOLDER = Option("--folder", "a folder for each landmark, photos inside", value="DIR", required=True)
NOTES = Option("--notes", "CSV: photo, also_shows, licence, author", value="CSV")
