"""Networks from and to other libraries and formats: one module for each.

An importer reads its format into `steps`, the plain list of what the other model does, and
`assembly` makes the `Model` of a network of them. Exporters read such a model. A module, and the
library it talks to, is imported when it is first used.
"""
