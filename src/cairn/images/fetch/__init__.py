"""Photos over HTTP: which addresses may be asked, how politely, and one guarded request after another."""
