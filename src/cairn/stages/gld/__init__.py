"""Data sets that are known by name: their lists joined to rows, their tars fetched, checked and read."""
