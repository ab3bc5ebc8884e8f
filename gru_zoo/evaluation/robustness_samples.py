"""Short texts that say what a sentiment model is asked to tell apart, written for this purpose.

They are ours, few, and no benchmark: a figure on them is a hint at a weakness, with a wide margin.
Each is a text and its label, 0 negative, 1 positive.
"""

from __future__ import annotations

PLAIN = (
    ("A warm, funny film with a wonderful cast.", 1),
    ("The best thriller I have seen in years.", 1),
    ("Beautiful pictures and a moving story.", 1),
    ("I loved every minute of it.", 1),
    ("Great music, great acting, a perfect ending.", 1),
    ("A brilliant first film by a gifted director.", 1),
    ("Clever, tense and very well acted.", 1),
    ("We laughed from beginning to end.", 1),
    ("A touching portrait of an old friendship.", 1),
    ("Highly recommended to everybody.", 1),
    ("A dull, clumsy film with a wooden cast.", 0),
    ("The worst thriller I have seen in years.", 0),
    ("Ugly pictures and a boring story.", 0),
    ("I hated every minute of it.", 0),
    ("Bad music, bad acting, a stupid ending.", 0),
    ("An awful first film by a careless director.", 0),
    ("Predictable, slow and badly acted.", 0),
    ("We were bored from beginning to end.", 0),
    ("A lifeless portrait of a dreary friendship.", 0),
    ("A complete waste of time and money.", 0),
)

NEGATION = (
    ("This is not a bad film.", 1),
    ("It was not boring for a single minute.", 1),
    ("You will not regret seeing it.", 1),
    ("There is nothing wrong with the acting, and nothing wrong with the plot.", 1),
    ("I can't find a fault with it.", 1),
    ("It never gets dull, never gets silly.", 1),
    ("No clichés, no wasted scenes, no weak performance.", 1),
    ("I have not laughed so much in years.", 1),
    ("The ending doesn't disappoint.", 1),
    ("Not one bad scene in two hours.", 1),
    ("It isn't the mess that critics say it is.", 1),
    ("Nobody should miss it.", 1),
    ("This is not a good film.", 0),
    ("It was not funny for a single minute.", 0),
    ("You will not enjoy it.", 0),
    ("There is nothing good about the acting, and nothing clever about the plot.", 0),
    ("I can't recommend it.", 0),
    ("It never gets exciting, never gets moving.", 0),
    ("No charm, no wit, no memorable performance.", 0),
    ("I have not enjoyed a film so little in years.", 0),
    ("The ending doesn't satisfy.", 0),
    ("Not one good scene in two hours.", 0),
    ("It isn't the masterpiece that critics say it is.", 0),
    ("Nobody should see it.", 0),
)

SARCASM = (
    ("What a masterpiece. I especially loved the part where it ended.", 0),
    ("Oh great, another sequel. Just what the world needed.", 0),
    ("A wonderful cure for insomnia.", 0),
    ("Brilliant: two hours of people looking out of windows.", 0),
    ("The best nap I have had in a cinema all year.", 0),
    ("If you enjoy watching paint dry, this is the film for you.", 0),
    ("I laughed a lot. It is a tragedy, by the way.", 0),
    ("Congratulations to the director for making explosions tedious.", 0),
    ("My favourite moment was the closing credits.", 0),
    ("Truly impressive how much money can buy so little.", 0),
    ("Thank you for the lovely headache.", 0),
    ("The popcorn was excellent.", 0),
    ("I would rather clean the oven again. At least that has a plot.", 0),
    ("A triumph, if the aim was to empty the room.", 0),
    ("Terrible news for my other plans: I am going to see it a third time.", 1),
    ("I hate this film for making me cry in front of my boss.", 1),
    ("It ruined every other comedy for me.", 1),
    ("Warning: you will be late for work, because you will want to watch it twice.", 1),
    ("Who needs sleep anyway? I was glued to the screen until three.", 1),
    ("My only complaint is that I can never see it for the first time again.", 1),
)

CONTRAST = (
    ("The first half is slow, but the second is unforgettable.", 1),
    ("I expected rubbish and got a little gem.", 1),
    ("Some jokes fall flat; most of them are hilarious, and I left with a smile.", 1),
    ("The critics hated it. They are wrong, it is a joy.", 1),
    ("Despite a weak script, the actors make it a delight.", 1),
    ("Looks cheap and sounds cheap, and yet it is the best evening I had this month.", 1),
    ("The first half is promising, but the second is unbearable.", 0),
    ("I expected a gem and got a load of rubbish.", 0),
    ("Some jokes are hilarious; most of them fall flat, and I left early.", 0),
    ("The critics loved it. They are wrong, it is a bore.", 0),
    ("Despite a clever script, the actors make it a chore.", 0),
    (
        "Looks expensive and sounds expensive, and yet it is the dullest evening I had this month.",
        0,
    ),
)

FOREIGN = (
    ("Ein wunderbarer Film, ich habe jede Minute genossen.", 1),
    ("Ein schrecklicher Film, ich habe mich nur gelangweilt.", 0),
    ("Un film magnifique, je le recommande à tout le monde.", 1),
    ("Un film affreux, une perte de temps.", 0),
    ("Una película preciosa, me encantó el final.", 1),
    ("Una película horrible, no la recomiendo.", 0),
    ("Un film stupendo, da vedere assolutamente.", 1),
    ("Un film noioso, non vale il biglietto.", 0),
    ("Отличный фильм, очень советую.", 1),
    ("Ужасный фильм, зря потратил время.", 0),
    ("とても良い映画でした。", 1),
    ("とてもつまらない映画でした。", 0),
)

KINDS = {
    "plain statements": PLAIN,
    "negation": NEGATION,
    "sarcasm": SARCASM,
    "mixed sentiment": CONTRAST,
    "other languages (de, fr, es, it, ru, ja)": FOREIGN,
}

# What is no review at all, or a strange one: there is no right answer, only a behaviour.
UNUSUAL = {
    "empty text": "",
    "whitespace only": "   \n\t ",
    "punctuation only": "...!?;--",
    "emoji only": "😀😀😀",
    "one unknown word": "xqzzt",
    "one neutral word": "film",
    "the word “good”": "good",
    "the word “bad”": "bad",
    "a recipe": "Boil the potatoes for twenty minutes and add some salt.",
    "facts about a film": "The film was shot in 1998 in Berlin and runs for ninety minutes.",
    "PRAISE IN CAPITALS": "A WARM, FUNNY FILM WITH A WONDERFUL CAST.",
    "praise with typos": "A wram, funy flim with a wonderfull csat.",
    "8,000 words of praise": "A warm, funny film with a wonderful cast. " * 1000,
    "480 words of praise, then 4,800 of criticism": "A warm, funny film with a wonderful cast. "
    * 60
    + "A dull, clumsy film with a wooden cast. " * 600,
}
