"""Reports: what people look at, each one file that opens offline."""
