"""Download: a list of addresses becomes checked images, row by row, with a journal that survives a kill."""
