"""What every HTML page needs: templates, layout, forms, flash, translations."""
