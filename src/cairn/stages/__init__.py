"""The stages: each takes records and gives a record; none knows the work folder."""
