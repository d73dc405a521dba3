"""How decisions hold in a work folder: written to the catalog, undone without a trace, held again after a download."""

import contextlib
from collections.abc import Iterator, Sequence

import polars as pl
from pydantic import JsonValue

from cairn.base.files import digest_file, digest_json, disk_errors
from cairn.pipeline.work_folder import WorkFolder
from cairn.records.catalog import CATALOG_SCHEMA, KEPT, Catalog
from cairn.records.decisions import Decisions, undone
from cairn.records.findings import Findings
from cairn.records.landmarks import Landmarks
from cairn.records.tables import pieces_of
from cairn.records.verdicts import read_verdicts
from cairn.stages.told_copies import ToldCopies, told_copies

# So many rows of the catalog take some 50 MB on the way.
ROWS_AT_ONCE = 50_000


def undecided(place: WorkFolder) -> Catalog:
    """The catalog as if nothing had been decided: all kept images are in use and show what they showed."""
    place.require()
    rows = undone(Catalog.scan(place.catalog_path), made(place))
    return Catalog(rows.collect(engine="streaming"))


def undecided_rows(place: WorkFolder) -> pl.LazyFrame:
    """The rows of `undecided` whose image is kept, read only as far as is asked for."""
    return undone(kept_rows(place), made(place))


def kept_rows(place: WorkFolder) -> pl.LazyFrame:
    """The rows of the catalog whose image is kept."""
    return Catalog.scan(place.catalog_path).filter(pl.col("status") == KEPT)


def made(place: WorkFolder) -> list[Decisions]:
    """What was decided before; what a kill left unfinished comes first."""
    paths = (place.next_decisions_path, place.decisions_path)
    return [Decisions.read(path) for path in paths if path.exists()]


def known_landmarks(place: WorkFolder) -> Landmarks | None:
    """The landmarks of `place`, or None where it has none yet."""
    return place.landmarks() if place.landmarks_path.exists() else None


def found_copies(place: WorkFolder) -> ToldCopies:
    """Which images are copies by scrub and by people, and which are not; nothing where nothing was scrubbed."""
    if not place.findings_path.exists():
        return ToldCopies()
    return told_copies(Findings.read(place.findings_path), read_verdicts(place.verdicts).merged())


def cleaning_inputs(place: WorkFolder) -> dict[str, str]:
    """Digests of what scrub found, what was decided and what people said of copies, by name, of those that are there."""
    paths = {"findings": place.findings_path, "decisions": place.decisions_path}
    digests = {name: digest_file(path) for name, path in paths.items() if path.exists()}
    told = found_copies(place)
    if told.heard:
        told_pairs: list[JsonValue] = [
            [[*pair] for pair in each] for each in (told.copies, told.apart)
        ]
        digests["verdicts about copies"] = digest_json(told_pairs)
    return digests


def settle(place: WorkFolder) -> None:
    """What a kill interrupted is done to its end."""
    if place.next_decisions_path.exists():
        hold(place, Decisions.read(place.next_decisions_path))


def hold_decisions(place: WorkFolder, *, known: Landmarks | None) -> bool:
    """Whether decisions were made before; they hold again, image by image, now that the catalog was written anew.

    A decision about an image that is not kept now waits until it is. known: the landmarks from before, for names.
    """
    before = made(place)
    if before:
        _hold(place, _refreshed(place, before[0]), before=before, undoing=(), known=known)
    return bool(before)


def hold(place: WorkFolder, decisions: Decisions) -> None:
    """`place` is as `decisions` say, whatever was decided before; where it is so already, no byte changes.

    They are on the disk before the catalog changes, and get their own name after it, so that a kill in between
    leaves enough to undo either state.
    """
    before = made(place)
    _hold(place, decisions, before=before, undoing=before, known=None)


def _hold(
    place: WorkFolder, decisions: Decisions, *, before: Sequence[Decisions],
    undoing: Sequence[Decisions], known: Landmarks | None,
) -> None:  # fmt: skip
    """`place` is as `decisions` say.

    before: what was decided before. undoing: of these what the catalog still says. known: landmarks whose names may
    be needed.
    """
    with pieces_of(place.catalog_path, CATALOG_SCHEMA) as pieces:
        is_changed = False
        for was in _tables(place):
            now = decisions.applied_to(undone(was.lazy(), undoing).collect())
            is_changed |= not now.equals(was)
            pieces.add(now)
        is_known = before[0].table.equals(decisions.table) if before else not len(decisions)
        if not is_known:
            decisions.write(place.next_decisions_path)
        if is_changed:
            pieces.write()
    _write_landmarks(place, decisions, before, known)
    with disk_errors(place.decisions_path):
        if not len(decisions):
            place.decisions_path.unlink(missing_ok=True)
            place.next_decisions_path.unlink(missing_ok=True)
        with contextlib.suppress(FileNotFoundError):
            place.next_decisions_path.replace(place.decisions_path)


def _refreshed(place: WorkFolder, newest: Decisions) -> Decisions:
    """The newest decisions, with what the catalog, in which nothing is decided, says that their images show."""
    shown = (
        kept_rows(place)
        .filter(pl.col("image_id").is_in(newest.table["image_id"].implode()))
        .select("image_id", pl.col("landmark_ids").alias("shown"), pl.lit(True).alias("is_kept"))
        .collect(engine="streaming")
    )
    is_news = pl.col("is_kept") & pl.col("landmark_ids").is_not_null()
    showed = pl.when(is_news).then("shown").otherwise("before_landmark_ids")
    return Decisions(
        newest.table.join(shown, on="image_id", how="left", maintain_order="left")
        .with_columns(showed.alias("before_landmark_ids"))
        .drop("shown", "is_kept")
    )


def _tables(place: WorkFolder) -> Iterator[pl.DataFrame]:
    """The rows of the catalog, some at a time."""
    rows = Catalog.scan(place.catalog_path)
    n_rows = rows.select(pl.len()).collect().item()
    for start in range(0, n_rows, ROWS_AT_ONCE):
        yield rows.slice(start, ROWS_AT_ONCE).collect()


def _write_landmarks(
    place: WorkFolder, decisions: Decisions, before: Sequence[Decisions], known: Landmarks | None
) -> None:
    """`place` lists the landmarks that are shown by decision, and none any more that only earlier ones named.

    Landmarks that by decision no image shows any longer stay listed, so that undoing finds them.
    """
    listed = _by_id(known_landmarks(place))
    named_before = {landmark_id for each in before for landmark_id in each.landmark_ids}
    named = set(decisions.landmark_ids)
    if not named_before and named <= listed.keys():
        return
    shown = undone(kept_rows(place), [decisions, *before]).select(
        pl.col("landmark_ids").explode().drop_nulls().unique()
    )
    by_catalog = set(shown.collect(engine="streaming").to_series())
    wanted = (listed.keys() - (named_before - by_catalog)) | named
    if wanted != listed.keys():
        names = _by_id(known) | listed
        Landmarks.of(
            names.get(landmark_id)
            or {"landmark_id": landmark_id, "name": landmark_id.replace("_", " ")}
            for landmark_id in wanted
        ).write(place.landmarks_path)


def _by_id(landmarks: Landmarks | None) -> dict[str, dict[str, object]]:
    rows = [] if landmarks is None else landmarks.table.iter_rows(named=True)
    return {row["landmark_id"]: row for row in rows}
