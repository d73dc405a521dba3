"""Answers over HTTP; no rule of recognition lives here."""
