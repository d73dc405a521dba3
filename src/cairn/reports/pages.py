"""How a template becomes one HTML file that opens anywhere, offline."""

import base64
import hashlib
from dataclasses import dataclass

import jinja2
from markupsafe import Markup

from cairn.base.checks import counted
from cairn.reports.charts import percent

_LOADER = jinja2.PackageLoader("cairn", "reports/templates")


@dataclass(frozen=True)
class Script:
    """A script of Cairn's own that stands in a page; `allowed` names it, and nothing else, in the page's policy."""

    text: Markup
    allowed: str


def render(template: str, values: dict[str, object]) -> str:
    """The text of the page; every value is escaped, and one that is missing is an error."""
    environment = jinja2.Environment(
        loader=_LOADER,
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters.update(percent=percent, counted=counted, number=lambda value: f"{value:,}")
    return environment.get_template(template).render(values)


def script(name: str) -> Script:
    """The script `name` of the templates, to stand between its tags as it is, not a letter more."""
    text = _LOADER.get_source(jinja2.Environment(autoescape=True), name)[0]
    digest = base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()
    # The file is ours and holds no closing tag, so it may stand in the page unescaped.
    return Script(Markup(text), f"'sha256-{digest}'")
