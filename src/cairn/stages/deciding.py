"""Deciding: a policy turns findings and verdicts into decisions about images; what people said always goes first."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass

import polars as pl

from cairn.base.errors import InputError
from cairn.records.decisions import BY_POLICY, DECISIONS_SCHEMA, Decisions
from cairn.records.findings import COPIES, Findings
from cairn.records.verdicts import Merged
from cairn.stages.copies_left_out import Copy, copies_to_leave_out
from cairn.stages.hearing import Heard, hear
from cairn.stages.policies import POLICIES, Policy, policy_named

__all__ = ["POLICIES", "TOO_FEW", "UNVERIFIED", "Decided", "Policy", "decide", "policy_named"]

UNVERIFIED, TOO_FEW = "unverified", "too few images"
IMAGES = {"image_id": pl.String, "landmark_ids": pl.List(pl.String)}
LANDMARKS = ("landmark_ids", "before_landmark_ids")
SUPPORT = {"image_id": pl.String, "n_verified": pl.Int32}


@dataclass(frozen=True)
class Decided:
    """What a policy came to.

    n_disputed: findings about which reviewers differ, and images of which one thing was said here and another there;
    these decide nothing. n_protected: images that a person wants kept as they are. n_left: images with sure findings
    that contradict each other, or whose copy shows something else: left to people.
    """

    decisions: Decisions
    n_disputed: int
    n_protected: int
    n_left: int


def decide(
    images: pl.DataFrame,
    findings: Findings,
    said: Merged,
    *,
    policy: Policy,
    support: pl.DataFrame | None = None,
) -> Decided:
    """What `policy` decides about `images`, in their order.

    images: image_id and landmark_ids as before any decision; of each image that a finding or verdict is about, and of
    all kept images where the policy asks for verified ones. findings and verdicts about others count for nothing.
    support: image_id and n_verified, for each image that shows a landmark; only for such a policy.
    Raises InputError where such a policy gets none.
    """
    if policy.least_verified and support is None:
        raise InputError(
            f"the policy {policy.name} came without the number of verified images; one for each image was expected; "
            "count them first"
        )
    ids = images.select("image_id")
    heard = hear(said, findings, images) if policy.hears else Heard.nothing()
    told = findings.table.join(ids, on="image_id", how="semi").filter(
        pl.col("is_sure"),
        ~pl.col("finding_id").is_in(list(heard.open_findings)),
        ~_is_one_of(heard.image_ids),
    )
    left: set[str] = set()
    rows = [heard.rows]
    excluded = _plainly_excluded(told, policy)
    rows.append(excluded)
    gone = {*excluded["image_id"], *heard.excluded}
    if set(policy.excludes) & set(COPIES):
        copies = _copies(told, policy, images, heard, gone)
        rows.append(copies.rows)
        left |= copies.left
        gone |= set(copies.rows["image_id"])
    believed = told.filter(pl.col("kind").is_in(policy.believes), ~_is_one_of(gone))
    rows.append(_believed(believed, policy))
    left |= set(believed["image_id"]) - set(rows[-1]["image_id"])
    if support is not None and policy.least_verified:
        rows.append(_unverified(images.filter(~_is_one_of(gone)), support, heard, policy))
    return Decided(
        _as_decisions(images, pl.concat(rows)), heard.n_disputed, heard.n_protected, len(left)
    )


def _plainly_excluded(told: pl.DataFrame, policy: Policy) -> pl.DataFrame:
    """A row for each image that a sure finding other than a copy excludes; of several the first counts."""
    kinds = [kind for kind in policy.excludes if kind not in COPIES]
    return _as_rows(
        told.filter(pl.col("kind").is_in(kinds)).unique(
            "image_id", keep="first", maintain_order=True
        ),
        policy,
    )


@dataclass(frozen=True)
class _Copies:
    rows: pl.DataFrame
    left: set[str]


def _copies(
    told: pl.DataFrame, policy: Policy, images: pl.DataFrame, heard: Heard, gone: Collection[str]
) -> _Copies:
    """A row for each image that goes because a copy of it stays, and those that are left to people."""
    kinds = [kind for kind in policy.excludes if kind in COPIES]
    found = told.filter(pl.col("kind").is_in(kinds), pl.col("evidence").list.len() > 0)
    pairs = [
        Copy(image_id, other)
        for image_id, other in found.select("image_id", pl.col("evidence").list.first()).iter_rows()
    ]
    concerned = pl.concat([found["image_id"], found["evidence"].list.first()]).unique()
    shown = images.filter(pl.col("image_id").is_in(concerned.implode()))
    truths: dict[str, list[str] | None] = dict(shown.select("image_id", "landmark_ids").iter_rows())
    truths |= {key: value for key, value in heard.landmark_ids.items() if key in truths}
    leaving, left = copies_to_leave_out(pairs, truths, gone)
    first = found.unique("image_id", keep="first", maintain_order=True)
    going = first.filter(_is_one_of(leaving))
    return _Copies(_as_rows(going, policy), left)


def _as_rows(told: pl.DataFrame, policy: Policy) -> pl.DataFrame:
    """Rows that exclude the images of findings, with the kind as the cause."""
    return told.select(
        "image_id",
        pl.col("kind").alias("excluded"),
        pl.lit(None, DECISIONS_SCHEMA["landmark_ids"]).alias("landmark_ids"),
        _because(policy, pl.col("reason")).alias("because"),
        pl.lit(BY_POLICY).alias("by"),
    )


def _believed(told: pl.DataFrame, policy: Policy) -> pl.DataFrame:
    """Rows that say what images show by their sure findings, where these do not contradict each other."""
    suggested = told.drop_nulls("suggested").with_columns(
        pl.col("suggested").list.unique(maintain_order=True)
    )
    return (
        suggested.group_by("image_id", maintain_order=True)
        .agg(
            pl.col("suggested").list.sort().list.join("\n").n_unique().alias("n_answers"),
            pl.col("suggested").first().alias("landmark_ids"),
            pl.col("reason").first(),
        )
        .filter(pl.col("n_answers") == 1)
        .select(
            "image_id",
            pl.lit(None, pl.String).alias("excluded"),
            "landmark_ids",
            _because(policy, pl.col("reason")).alias("because"),
            pl.lit(BY_POLICY).alias("by"),
        )
    )


def _unverified(
    images: pl.DataFrame, support: pl.DataFrame, heard: Heard, policy: Policy
) -> pl.DataFrame:
    """Rows that exclude images without enough verified ones, then those of landmarks with too few left."""
    told = images.with_columns(_main(heard.landmark_ids).alias("landmark")).drop_nulls("landmark")
    in_use = told.join(support, on="image_id", how="left", maintain_order="left")
    is_free = ~_is_one_of(heard.image_ids)
    lacks = is_free & (pl.col("n_verified").fill_null(0) < policy.least_verified)
    staying = in_use.filter(~lacks)
    counts = staying.group_by("landmark").len()
    few = staying.join(
        counts.filter(pl.col("len") < policy.least_images), on="landmark", how="semi",
        maintain_order="left",
    )  # fmt: skip
    number = pl.col("n_verified").fill_null(0)
    return pl.concat(
        [
            _left_out(
                in_use.filter(lacks),
                UNVERIFIED,
                pl.format(
                    "verified to show the same as {} other images of its landmark, at least "
                    f"{policy.least_verified} were expected",
                    number,
                ),
                policy,
            ),
            _left_out(
                few.filter(is_free),
                TOO_FEW,
                pl.lit(f"fewer than {policy.least_images} images of its landmark are left"),
                policy,
            ),
        ]
    )


def _left_out(rows: pl.DataFrame, cause: str, reason: pl.Expr, policy: Policy) -> pl.DataFrame:
    return rows.select(
        "image_id",
        pl.lit(cause).alias("excluded"),
        pl.lit(None, DECISIONS_SCHEMA["landmark_ids"]).alias("landmark_ids"),
        _because(policy, reason).alias("because"),
        pl.lit(BY_POLICY).alias("by"),
    )


def _main(told: Mapping[str, list[str]]) -> pl.Expr:
    """The main landmark of each image: what people said, else what the catalog says."""
    plain = pl.col("landmark_ids").list.first()
    if not told:
        return plain
    mains = {image_id: shown[0] if shown else None for image_id, shown in told.items()}
    by_people = pl.col("image_id").replace_strict(
        list(mains), list(mains.values()), default=None, return_dtype=pl.String
    )
    return pl.when(_is_one_of(mains)).then(by_people).otherwise(plain)


def _is_one_of(image_ids: Collection[str]) -> pl.Expr:
    return pl.col("image_id").is_in(list(image_ids))


def _because(policy: Policy, reason: pl.Expr) -> pl.Expr:
    return pl.format(f"policy {policy.name}: {{}}", reason)


def _as_decisions(images: pl.DataFrame, rows: pl.DataFrame) -> Decisions:
    """The rows in the order of the images, with what these showed before."""
    before = images.select("image_id", pl.col("landmark_ids").alias("before_landmark_ids"))
    is_news = pl.col("landmark_ids").ne_missing(pl.col("before_landmark_ids"))
    is_told = pl.col("landmark_ids").is_not_null() & is_news
    return Decisions(
        before.join(rows, on="image_id", how="inner", maintain_order="left")
        .with_columns(pl.when(is_told).then(name).alias(name) for name in LANDMARKS)
        .filter(pl.col("excluded").is_not_null() | pl.col("landmark_ids").is_not_null())
        .select(*DECISIONS_SCHEMA)
    )
