"""How a template becomes one HTML file that opens anywhere, offline."""

import jinja2

from cairn.base.checks import counted
from cairn.reports.charts import percent


def render(template: str, values: dict[str, object]) -> str:
    """The text of the page; every value is escaped, and one that is missing is an error."""
    environment = jinja2.Environment(
        loader=jinja2.PackageLoader("cairn", "reports/templates"),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters.update(percent=percent, counted=counted, number=lambda value: f"{value:,}")
    return environment.get_template(template).render(values)
