"""Texts whose reference outputs every text classifier's artifact stores."""

# Written for this purpose: what a phone meets. Their results are kept in every artifact.
GOLDEN_TEXTS = (
    "A quiet, wonderful film. I could have watched it for another hour.",
    "Two hours I will never get back: wooden acting, no plot, and a dreadful ending.",
    "It's not bad at all, although the first half drags a little.",
    "I wanted to like this. I really did.<br /><br />But nobody in it seems to be awake.",
    "BEST COMEDY OF THE YEAR!!! Go and see it.",
    "Who paid for this?",
    "'Charming' is what the poster says; 'tedious' is what I'd say.",
    "The score is superb, the pictures are superb, and the story is a mess.",
    "",
    "   \n\t ",
    "...!?;--",
    "xqzzt vlorp",
    "Ein stiller, wunderbarer Film.",
    "とても良い映画でした。",
    "Отличный фильм, очень советую.",
    "Loved it 😀😀 10/10",
    "good " * 60,
    "bad " * 600,
    "The opening is slow. " + "Then it gets better and better, and I loved every minute. " * 12,
)
