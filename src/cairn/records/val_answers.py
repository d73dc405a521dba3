"""Answers on val: the surest landmark for each image, as the head of a network that is trained gives it."""

import polars as pl

from cairn.records.tables import Schema

VAL_ANSWERS_SCHEMA: Schema = {
    "image_id": pl.String,
    "group": pl.String,
    "landmark_ids": pl.List(pl.String),
    "answered": pl.String,
    "score": pl.Float64,
    "right": pl.Boolean,
}
