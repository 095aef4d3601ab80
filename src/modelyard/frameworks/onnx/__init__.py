"""Being written."""

NAME = "onnx"
SERIALIZERS: tuple[str, ...] = ("onnx" if NAME == "onnx" else "text",)


def recognises(obj: object) -> bool:
    return False


def claims(files: object) -> None:
    return None
