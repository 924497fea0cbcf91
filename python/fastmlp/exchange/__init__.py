"""Conversion of networks from and to other libraries and formats, with a module for each.

An importer reads its format into `steps`, a plain list of operations, from which `assembly` creates
the `Model` of a network; `verification` compares it with the original. Exporters read such a model.
A module, and the library it needs, is imported when it is first used.
"""
