"""Training: what moves weights; torch may be imported in these rooms."""
