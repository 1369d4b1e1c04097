"""Examples in English."""

from app.words.examples import Examples


class EnglishExamples(Examples):
    examples_button = "Examples"
    example_of_a_photo = (
        "📷 A photo of a cat and a description:\n"
        "<i>A watercolour portrait of my cat: warm washes, ragged edges, grainy paper</i>"
    )
    example_without_a_photo = (
        "✍️ No photo, just a description:\n"
        "<i>A lighthouse on a rock, sunset over the sea, flat poster in purple and red</i>\n\n"
        "These two are illustrations; a model will draw in its own way. "
        "Send a photo with a caption, or start with /photo"
    )
