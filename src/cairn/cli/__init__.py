"""The command line: words in, words out. Nothing but these rooms prints."""
