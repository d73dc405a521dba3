"""What travels between stages: each record checks itself when made and has one form as a file."""
