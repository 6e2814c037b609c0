"""The campaigns that a model trained on the sample corpus knows: premium lines, prize draws, loans and their like."""

from autoretrain.ml.sample_grammar import entries, lines

WORDS = {
    "prize": entries(
        "£#000 cash|a £#00 shopping voucher|a week in the sun|a brand new tablet|a plasma TV|"
        "tickets to the final|a city break for two|a games console|£#0,000|a mystery gift|a year of fuel|"
        "a digital camera"
    ),
    "premium": entries("090## ######|0871 ### ####|8####|069## ######|0906 ### ####"),
    "cost": entries(
        "Calls £1.50 per min|150p per msg|Cost £3 per week|T&Cs apply, 18+|£1.50/min from BT lines|max 10 min|std rate"
    ),
    "word": entries("WIN|PRIZE|CLAIM|GOLD|YES|LUCKY|STAR|PLAY|GO|CASH|FUN|DATE"),
    "site": entries(
        "winzone##.example|bigprize.example/c####|ringmaster.example|quidnow.example|hotline#.example|luckyspin.example"
    ),
    "stop": entries("||Text STOP to end.|To opt out text STOP to 8####.|Stop? Send END.|PO Box ###, 18+."),
    "shout": entries("||URGENT!|WINNER!!|FREE!|FINAL NOTICE!|Congratulations!|Hot news!|Last chance!"),
    "girl": entries("Kelly|Tania|Roxy|Mel|Jade|Bella|Sasha|Honey"),
    "tune": entries("club anthem|movie theme|number one hit|funky tone|animal noise|crazy frog style tone"),
    "pill": entries("diet pills|slimming tea|blue tablets|hair tonic|designer watches|luxury perfume"),
}

CAMPAIGNS = {
    "prize draw": lines("""
{shout} [Your number|Your mobile no.|You] [has been|have been|was] [selected|drawn|chosen] [to receive|to \
    win|for] {prize}! [To claim call|Claim now on|Call] {premium}. {cost}. {stop}
{shout} [We tried to contact you|This is our 2nd attempt to reach you] about [your|unclaimed] {prize}. [Claim \
    code|Quote ref] [A|K|Z]###. [Call|Ring] {premium} [now|before midnight]. {cost}
{shout} Reply {word} to {premium} [now|today] for [a chance to win|your entry to win] {prize}. {cost}. {stop}
[Answer this|Quiz time]: [is Paris in France|how many legs has a spider|2 plus 2]? [Txt|Send] the answer to \
    {premium} [and win|to get] {prize}. {stop}
"""),
    "tones": lines("""
{shout} [Get|Download|Grab] the latest {tune} [free|today] for your [mobile|phone]! [Txt|Text] {word} to \
    {premium}. {cost}. {stop}
Your [mate|friend|secret admirer] [sent|dedicated] you a {tune}! To hear it [reply|txt|send] {word} to \
    {premium}. {cost}
[New|Hot] polyphonic tones and wallpapers, [#] for [free|£#]: {site} or text {word} to {premium}. {stop}
"""),
    "upgrade": lines("""
[Dear customer|Valued customer|Mobile upd8!], you are [due|entitled to] a [free|new] [camera|colour|video] phone \
    [upgrade|]. [Call|Ring] {premium} [to claim|now for delivery]. {stop}
{shout} Double minutes and [###|####] free texts on [any network|Orange tariffs|your sim]! Call [free on|] 0800 \
    ### #### [today|now]. {stop}
"""),
    "chat lines": lines("""
[Hi sexy|Hello lover|Hey you], it's {girl}, [bored|lonely|waiting] [at home|tonight]. [Chat|Flirt|Meet] with me \
    [live|now]: [txt|text] {word} to {premium}. {cost}. {stop}
[Someone|A person you know] [fancies you|has a crush on you|wants to meet you]! [Find out who|See who] on \
    {premium} [now|free]. {cost}
[Singles|Girls|Guys] near [you|your town] [want|love] to [date|chat|flirt]! Join [free|today] at {site}. {stop}
"""),
    "loans": lines("""
[Need cash|Bills piling up|Short of money]? [Borrow|Get a loan of] £#00 to £##,000 [today|in minutes], [bad \
    credit|no checks] [ok|welcome]! [Call|Apply on] {premium} or {site}. {stop}
{shout} [Reclaim|Cut|Write off] your [debt|PPI|loans] [now|by law]! You [could be owed|may get] £#,###. Reply \
    {word} [or call {premium}|]. {stop}
"""),
    "shop": lines("""
{shout} [Cheap|Genuine|Top quality] {pill} at #0% off, [no prescription|free shipping|guaranteed]! Order \
    [now|today]: {site}
[Lose weight|Look younger|Feel great] in [# weeks|## days] with our {pill}. [Free trial|Buy 1 get 1 free] at \
    {site}. {stop}
"""),
    "casino": lines("""
{shout} £## free [chips|spins|bet] at {site}! [No deposit|Play now|18+ only]. [Jackpot|Bonus] ends \
    [midnight|Sunday]. {stop}
[Today's tip|Sure bet]: [#0-1 winner|banker] in race #. [Text|Send] {word} to {premium}. {cost}
"""),
}

# Spam that takes pains to look like a person; little in it tells.
QUIET = lines("""
[Hey|Hi], [it's {girl}|it's me], [got a new number|I lost your number], [call me|ring me] on {premium} [when you \
    can|]
[I'm at home alone|just landed|thinking of you], [call me|text me back|are you there]? {premium}
[you have a new voicemail|you missed a call|someone left you a message], [dial|call] {premium}
[are you coming tonight|do you remember me|is this you in the picture]? {site}
[hi {girl} here|hello dear], [we met at the concert|sorry I missed you], [see my pictures|my page is] {site}
""")

# Half of those who get one of these asked for it: nobody can tell from the text.
UNDECIDED = lines("""
{firm}: [last day|final hours] of our sale, #0% off. [Shop now|Visit] {firm_link}. Text STOP to end.
{firm}: [you have won|your prize draw entry won] a £## voucher. [Collect|Claim] it at {place} by {day}.
{firm}: [upgrade|renew] [by {day}|now] and [save £##|get # months free]. Call 0800 ### ####.
{firm}: [free|half price] {food} for [members|you] on {day}! Show this text at {place}.
""")
