"""What every HTML page needs: templates, layout, forms, flash, languages, translations, assets.

Plain HTML that works without JavaScript. Pages of features live in `<feature>/pages.py`, their templates in
`<feature>/templates/`; what they share is here. `install_web` is called once by the composition root.
"""
