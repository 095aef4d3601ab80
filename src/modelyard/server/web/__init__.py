"""Pages for people: HTML drawn here, forms that work without JavaScript, a `.json` twin of each.

A page is a frozen dataclass that a function fills from the use cases, and a template that shows it.
What changes something is an act: a form that is posted, and sends the browser on.
"""
