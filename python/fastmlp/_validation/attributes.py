"""Attributes that a class does not have cannot be assigned: a misspelled setting had no effect."""

from collections.abc import Callable
from typing import TypeVar

from fastmlp._validation.foreign_names import suggestion

_Class = TypeVar("_Class", bound=type)


def refuses_others(name: str) -> Callable[[_Class], _Class]:
    """Decorate a class: assigning an attribute that it lacks is an error that begins with `name`.

    Attributes with an underscore in front are the class's own affair. A subclass may have any.
    """

    def decorated(cls: _Class) -> _Class:
        def assign(self: object, attribute: str, value: object) -> None:
            known = attribute.startswith("_") or hasattr(cls, attribute)
            if type(self) is cls and not known:
                public = [each for each in dir(cls) if not each.startswith("_")]
                hint = suggestion(attribute, public)
                raise AttributeError(
                    f"{name} has no attribute {attribute!r}{hint}", name=attribute, obj=self
                )
            object.__setattr__(self, attribute, value)

        assign.__module__, assign.__name__ = cls.__module__, "__setattr__"
        assign.__qualname__ = f"{cls.__qualname__}.__setattr__"
        cls.__setattr__ = assign  # type: ignore[method-assign,assignment]
        return cls

    return decorated
