"""HTML and SVG as trees: whatever a name or a message holds, it comes out as text."""

from xml.etree import ElementTree
from xml.etree.ElementTree import Element


def element(tag: str, *children: "Element | str", **attributes: object) -> Element:
    """An element of texts and elements, in order.

    Attributes are written with underscores for hyphens, and one at the end where Python has the word for
    itself: class_="legend", stroke_dasharray="4 2".
    """
    names = {name.rstrip("_").replace("_", "-"): str(value) for name, value in attributes.items()}
    made = Element(tag, names)
    for child in children:
        if isinstance(child, Element):
            made.append(child)
        elif len(made):
            made[-1].tail = (made[-1].tail or "") + child
        else:
            made.text = (made.text or "") + child
    return made


def document(root: Element) -> str:
    """The page as a text; what is no text, as in odd names of files, becomes question marks."""
    text = ElementTree.tostring(root, encoding="unicode", method="html")
    return f"<!DOCTYPE html>\n{text}\n".encode(errors="replace").decode()
