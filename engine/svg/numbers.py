"""Numbers as they stand in a file."""


def text_of(value: float, digits: int) -> str:
    """Fixed-point text with at most `digits` decimals and nothing superfluous: '.5' is written '0.5', never '-0'."""
    text = f"{value:.{digits}f}"
    if "." in text:
        text = text.rstrip("0").rstrip(".")
    return "0" if text in ("-0", "") else text
