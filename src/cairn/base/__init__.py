"""What every room may use and nobody outside needs: errors, checks, files, settings."""
