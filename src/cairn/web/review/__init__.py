"""The review page: what persons decide about findings goes from here into journals; no rule of review lives here."""
