"""A stage: parameters, tasks or text, and a recipe in; parameters out."""
