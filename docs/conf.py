"""Settings of Sphinx. Nothing here may need the network: no inventories, fonts or scripts from elsewhere."""

import shutil
from importlib.metadata import version as version_of
from pathlib import Path

# Generated pages of modules that no longer exist would fail the build.
shutil.rmtree(Path(__file__).parent / "reference" / "api", ignore_errors=True)

project = "bankbridge"
author = "The bankbridge developers"
copyright = "2026, The bankbridge developers"
release = version_of("bankbridge")
version = release

extensions = [
    "myst_parser",
    "sphinx.ext.autodoc",
    "sphinx.ext.autosummary",
    "sphinx.ext.napoleon",
    "sphinx.ext.viewcode",
    "sphinx_copybutton",
    "sphinx_design",
]
exclude_patterns = ["_build", "_generated", "_tools", "examples/**"]
templates_path = ["_templates"]
# A name in single backticks in a docstring links to that name where it is documented.
default_role = "py:obj"
# A name is documented where it is defined and again where it is offered; a link to either is right.
suppress_warnings = ["ref.python"]

myst_enable_extensions = ["attrs_block", "colon_fence", "deflist", "fieldlist"]
myst_heading_anchors = 3

# A table is long as a value and clear in the source, which is one click away.
autodoc_default_options = {
    "members": True,
    "undoc-members": True,
    "show-inheritance": True,
    "no-value": True,
}
autodoc_member_order = "bysource"
autodoc_typehints_format = "short"
autosummary_generate = True
python_use_unqualified_type_names = True
python_maximum_signature_line_length = 88

copybutton_prompt_text = r">>> |\.\.\. |\$ "
copybutton_prompt_is_regexp = True

html_theme = "furo"
html_title = "bankbridge"
html_static_path = ["_static"]
html_copy_source = False
