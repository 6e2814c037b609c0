"""What people and the firms that they deal with write to them: templates and word lists of the sample corpus."""

from autoretrain.ml.sample_grammar import entries, lines

WORDS = {
    "name": entries(
        "Amara|Ben|Carla|Dev|Elif|Farid|Grace|Hugo|Ines|Jonas|Kavya|Leo|Mina|Noor|Otto|Priya|Quentin|Rosa|"
        "Sam|Tariq|Uma|Vik|Wanda|Xavi|Yara|Zoe|Aunty|Grandma|Dad|Mum|Luca|Sofia|Mateo|Aisha|Femi|Olga|Hana|"
        "Pablo|Greta|Nikhil"
    ),
    "day": entries("Monday|Tuesday|Wednesday|Thursday|Friday|Saturday|Sunday"),
    "time": entries("7|8|9|10|11|noon|1|2:30|3|4:15|5|half-six|6:45|eight|9ish|later"),
    "place": entries(
        "the library|the station|campus|the old bakery|your place|the gym|gate 4|the river cafe|my mum's|"
        "the office|the market|the bus stop|the cinema|platform 2|the clinic|the park|school|the garage|"
        "the roof|reception|the pool|the airport|Hill Street|the canteen|the seaside|lab 3|the allotment|"
        "town"
    ),
    "food": entries(
        "dosa|lasagne|noodles|pizza|dal|a curry|soup|sushi|tacos|pancakes|biryani|salad|dumplings|toast|"
        "a roast|ramen|fish and chips|falafel|porridge|leftovers|mango cake|ice cream|plantain|goulash"
    ),
    "thing": entries(
        "charger|umbrella|notes|jumper|bike pump|keys|tickets|laptop|guitar|suitcase|ladder|book|headphones|"
        "tent|calculator|drill|blender|passport|lunch box|scarf|camera|chess set|raincoat|projector|"
        "cricket bat|sewing kit"
    ),
    "chore": entries(
        "water the plants|feed the cat|take the bins out|pick up the kids|buy milk|call the plumber|"
        "book the van|print the forms|return the library books|iron my shirt|walk the dog|"
        "defrost the freezer|post the letter|charge the car|hoover the stairs|fix the tap|"
        "renew the parking permit|order the filters"
    ),
    "subject": entries(
        "chemistry|the budget|chapter six|the report|statistics|the essay|my thesis|the slides|French|"
        "the audit|the lab results|the proposal|the invoice|the interview|the timetable|the driving test|"
        "the drawings"
    ),
    "feeling": entries("tired|fine|bored|happy|nervous|hungry|proud|cold|late|lost|stuck|excited|sleepy|grumpy"),
    "event": entries(
        "the wedding|the match|the concert|her birthday|the exam|the picnic|the quiz|training|the play|"
        "the funeral|the parents evening|choir|the barbecue|the hike|the game night|the demo|band practice|"
        "the housewarming"
    ),
    "weather": entries("raining|snowing|boiling|freezing|windy|foggy|lovely|miserable"),
    "firm": entries(
        "Northway|Calder Dental|Parkside Surgery|Lindo|Blue Kettle|Hartwell Gym|Tram Co|Oak Books|"
        "Fenwick Vets|Rio Cars|Mill Street Clinic|Sol Energy|Juniper|Kite Post|Harbour Bank|Union Library|"
        "Metro Opticians|Pine Hotel"
    ),
    "bye": entries("||||x|xx|:)|lol|haha|cheers|ta|love you|thanks|ok?|:(|😊|👍"),
    "hi": entries("||||Hey|Hi {name},|{name}!|Yo|Hello,|Morning!|Hey {name}|Sorry,|Oh and"),
    "firm_link": entries(
        "northway.example/t/####|kite.example/p####|lindo.example/me|harbour.example/help|juniper.example"
    ),
}

CHAT = lines("""
[are you|you still] coming to {event} on {day}?
I'm [at|outside|near] {place}, [where are you|can't see you|come find me]
running [ten minutes|a bit|half an hour|so] late, [start without me|save me a seat|the traffic is awful]
can you {chore} [before|after] {time}? I [forgot|won't make it|promised {name}]
[did you|don't forget to|I will|please] {chore} [today|this week|when you get home]
what time [does {event} start|is {event}|are we meeting|do you finish]?
[making|craving|just had|shall we get] {food} [for lunch|tonight|again|with {name}]
I left my {thing} at {place}, [can you grab it|have you seen it|is it still there]?
{name} says {event} is [off|moved to {day}|still on|going to be huge]
{subject} is [due|at the printers|killing me|nearly done|harder than I thought]
so [{feeling}|very {feeling}] [right now|after {event}|today], [call you later|going to bed|need coffee]
it's [{weather}|absolutely {weather}] [here|at {place}|in town], [bring a coat|hope it stops by {time}|typical]
[how did {event} go|how is {name}|how was your trip|how are you feeling]? [tell me everything|miss you|]
the [train|bus|tram|lift|wifi|printer] at {place} is [down|late|packed|broken] again
see you at {place} [at {time}|on {day}], [I'll bring {food}|wear something warm|bring your {thing}]
[happy birthday|congratulations|good luck|get well soon|well done] {name}! [so proud of you|big hug|drinks \
    soon|]
[no|yes|maybe|nah|yeah], [I already ate|we can do {day}|ask {name}|not this time|sounds good|whatever you like]
my [boss|sister|landlord|teacher|coach|neighbour] [wants|changed|lost|finally sent] {subject}
[can I|could {name}|may I] borrow your {thing} [until {day}|for {event}|this weekend]?
we [lost|won|drew] [2-1|3-0|badly|somehow], {name} [scored twice|was in goal|missed it all]
[just landed|on my way|leaving now|stuck at {place}|home at last], [pick me up|put the kettle on|don't wait up]
the doctor said [it's nothing|rest for a week|come back {day}|to keep walking]
[sent|emailed|printed|finished] {subject}, [have a look|let me know|it was a nightmare|thanks for your help]
I [think|hope|guess|swear] {name} [likes you|is asleep|forgot|is moving out|passed {subject}]
is the {thing} [still broken|in your bag|yours]? I [need it by {time}|found one at {place}]
[what a|such a] [day|mess|film|goal|queue|night], [can't stop laughing|never again|you should have been there]
do we [need|have any] [milk|eggs|bread|stamps|batteries|nappies|rice]? I'm at the [shop|market|till]
rent is [due|paid|going up], [can you send me your half|I'll transfer {day}|remind {name}]
[kids|the twins|the baby|the dog|grandma] [is asleep|won't eat|says hello|loved the {thing}|had {food}]
[don't|please do|shall I] tell {name} about {subject}, [it's a surprise|they'll worry|I'll explain {day}]
""")

SHORT = lines("""
[ok|okay|sure|fine|yes|no|yep|nope|k|lol|haha|thanks|cool] [then|mate|love|dear|{name}|]
[sorry|will|can't talk,] I'll call [you|] [later|back|at {time}]
[where|who|what|why] [are you|now|is it|though]?
[on my way|nearly there|5 mins|just parked|in a meeting|call you later|good night|good morning] {bye}
[what's up|you awake|you there|call me|ring me when you can|missed your call]?
""")

NOTICES = lines("""
{firm}: your appointment is on {day} at {time}. Reply [C to cancel|Y to confirm|R to change it].
Your {firm} code is ######. [Do not share it|It is valid for 10 minutes|Never tell it to anyone].
{firm}: your order ##### [has been sent|will arrive {day} between {time} and {time}|is ready at {place}].
{firm}: [we received your payment of|your direct debit of|you spent] £##.## [on {day}|at {firm}|from your \
    account].
{firm}: your parcel [is with our driver|was left with {name}|will come {day}]. Track: {firm_link}
{firm}: the book you reserved is [ready|overdue|renewed until {day}].
{firm}: your bill of £##.## is [ready|due on {day}]. [See it at {firm_link}|No action is needed].
Reminder from {firm}: [your MOT|your eye test|your flu jab|your check-up] is due on {day}. Call 01### ######.
{firm}: [service is delayed|closed on {day}|the road works end {day}], [sorry|thank you for your patience].
{firm}: please [confirm|update|check] your [address|details|delivery slot] [by {day}|at {firm_link}|before {time}].
{firm}: a new [device|card|payee] was added to your account [on {day}|]. If this was not you, visit {firm_link}
{firm}: we could not [deliver your parcel|take your payment|reach you] [today|]. [See {firm_link}|Reply 1 to retry].
{firm}: your [membership|subscription|permit|licence] [renews|ends] {day}. [See {firm_link}|No action is needed].
{firm}: your [refund|payment|transfer] of £##.## [is on its way|has been received|will arrive by {day}].
""")

# Wanted advertising reads like spam, and people write about prizes, offers and money, too.
PROMOTION = lines("""
{firm}: [members save|save|enjoy] #0% [off|on] [everything|your next visit|all orders] [until|this] {day}. \
    {firm_link}
{firm}: you have [##0 points|a free coffee|a £# voucher] [waiting|left]. [Show this text|Use code ####] at \
    {place}.
{firm} sale starts {day}! Half price on [coats|books|phones|shoes]. Text STOP to end.
[I won|{name} won|guess who won] [the raffle|a free pizza|£##|a prize] at {event}! [lucky|drinks on me|so funny]
[free|cheap] tickets for {event} [if you want them|from {name}], [call me|text me] [now|before {time}]
you [have to|must] claim the £## back [from work|today], the [form|deadline] is {day}
[urgent|please call me], {name} [is in hospital|lost the {thing}|needs you], ring 07### ######
they're giving [free samples|cash prizes|free phones] at {place}, [come now|is it a scam|hurry up]
have you seen this offer? {firm_link} [only £##|half price] for a {thing}, [shall I get it|we need one]
can you send me £## [for {event}|until payday]? my account is [empty|being silly], [sort code later|thanks]
""")
