"""Descriptions as they must be said, read by eye; the same people in every language."""

from __future__ import annotations

from personvlm.schema.description import Values

SETS: tuple[Values, ...] = (
    {"gender": ("male",), "age": ("young adult",), "hair.length": ("short",), "hair.color": ("black",),
     "view": ("back",), "upper.garment": ("jacket",), "upper.color": ("red",), "lower.garment": ("trousers",),
     "lower.color": ("black",), "carrying": ("backpack",)},
    {"gender": ("female",), "age": ("elderly",), "body": ("thin",), "eyewear": ("glasses",),
     "upper.garment": ("coat",), "upper.color": ("black",), "footwear.type": ("boots",),
     "footwear.color": ("brown",), "posture": ("sitting",)},
    {"upper.color": ("white",), "lower.color": ("dark blue",), "headwear": ("cap",), "posture": ("standing",),
     "activity": ("smoking",)},
    {"gender": ("female",), "age": ("child",), "upper.garment": ("dress",), "upper.color": ("yellow",),
     "upper.pattern": ("floral",), "posture": ("running",)},
    {"gender": ("male",), "age": ("middle-aged",), "hair.length": ("bald",), "upper.garment": ("shirt",),
     "upper.color": ("white", "blue"), "upper.pattern": ("striped",), "upper.sleeve": ("short",),
     "activity": ("arms crossed",)},
    {"age": ("adult",), "visibility": ("partial",), "carrying": ("suitcase", "phone"), "posture": ("walking",),
     "activity": ("making a phone call",)},
    {"gender": ("female",), "lower.garment": ("skirt",), "lower.color": ("green",), "footwear.type": ("sandals",),
     "footwear.color": ("white",), "carrying": ("stroller",)},
    {"gender": ("male",), "headwear": ("none",), "eyewear": ("none",), "carrying": ("none",)},
)  # fmt: skip

GOLDEN: dict[str, tuple[str, ...]] = {
    "es": (
        "La imagen muestra a un hombre joven con el pelo corto y negro, visto de espaldas. Lleva una "
        "chaqueta roja y unos pantalones negros. Lleva consigo una mochila.",
        "La imagen muestra a una mujer mayor de complexión delgada. Lleva un abrigo negro y unas botas "
        "marrones. También lleva unas gafas. Está sentada.",
        "La imagen muestra a una persona. Lleva una prenda superior blanca y una prenda inferior azul "
        "oscuro. También lleva una gorra. Está de pie y fuma.",
        "La imagen muestra a una niña. Lleva un vestido amarillo de flores. Corre.",
        "La imagen muestra a un hombre calvo de mediana edad. Lleva una camisa blanca y azul de rayas y "
        "manga corta. Está con los brazos cruzados.",
        "La imagen muestra a una persona adulta, parcialmente visible. Lleva consigo una maleta y sostiene "
        "un teléfono. Camina y habla por teléfono.",
        "La imagen muestra a una mujer. Lleva una falda verde y unas sandalias blancas. Empuja un cochecito de bebé.",
        "La imagen muestra a un hombre. No lleva sombrero ni gafas. No lleva nada consigo.",
    ),
    "de": (
        "Das Bild zeigt einen jungen Mann mit kurzen schwarzen Haaren, von hinten gesehen. Er trägt eine "
        "rote Jacke und eine schwarze Hose. Er trägt einen Rucksack.",
        "Das Bild zeigt eine schlanke ältere Frau. Sie trägt einen schwarzen Mantel und braune Stiefel. Dazu "
        "trägt sie eine Brille. Sie sitzt.",
        "Das Bild zeigt eine Person. Die Person trägt ein weißes Oberteil und ein dunkelblaues Unterteil. "
        "Dazu trägt die Person eine Kappe. Die Person steht und raucht.",
        "Das Bild zeigt ein Mädchen. Sie trägt ein geblümtes gelbes Kleid. Sie rennt.",
        "Das Bild zeigt einen glatzköpfigen Mann mittleren Alters. Er trägt ein kurzärmeliges, gestreiftes "
        "weiß-blaues Hemd. Er hat die Arme verschränkt.",
        "Das Bild zeigt eine erwachsene Person, teilweise sichtbar. Die Person trägt einen Koffer und hält "
        "ein Telefon. Die Person geht und telefoniert.",
        "Das Bild zeigt eine Frau. Sie trägt einen grünen Rock und weiße Sandalen. Sie schiebt einen Kinderwagen.",
        "Das Bild zeigt einen Mann. Er trägt keinen Hut und keine Brille. Er trägt nichts bei sich.",
    ),
    "fr": (
        "L'image montre un jeune homme aux cheveux courts et noirs, vu de dos. Il porte une veste rouge et "
        "un pantalon noir. Il porte un sac à dos.",
        "L'image montre une femme âgée de corpulence mince. Elle porte un manteau noir et des bottes marron. "
        "Elle porte aussi des lunettes. Elle est assise.",
        "L'image montre une personne. La personne porte un haut blanc et un bas bleu foncé. La personne "
        "porte aussi une casquette. La personne est debout et fume.",
        "L'image montre une fille. Elle porte une robe jaune à fleurs. Elle court.",
        "L'image montre un homme chauve d'âge moyen. Il porte une chemise blanche et bleue à rayures et à "
        "manches courtes. Il a les bras croisés.",
        "L'image montre une personne adulte, partiellement visible. La personne porte une valise et tient un "
        "téléphone. La personne marche et téléphone.",
        "L'image montre une femme. Elle porte une jupe verte et des sandales blanches. Elle pousse une poussette.",
        "L'image montre un homme. Il ne porte ni chapeau ni lunettes. Il ne transporte rien.",
    ),
    "hi": (
        "चित्र में एक युवा पुरुष है, जिसके बाल छोटे और काले हैं। चित्र पीछे से लिया गया है। उसने लाल जैकेट और काली पैंट पहनी है। "
        "उसके पास एक बैकपैक है।",
        "चित्र में दुबले शरीर की एक बुज़ुर्ग महिला है। उसने काला कोट और भूरे बूट पहने हैं। साथ में उसने चश्मा पहना है। वह बैठी है।",
        "चित्र में एक व्यक्ति है। उसने सफ़ेद ऊपरी वस्त्र और गहरा नीला निचला वस्त्र पहना है। साथ में उसने टोपी पहनी है। व्यक्ति "
        "खड़ा है और धूम्रपान कर रहा है।",
        "चित्र में एक लड़की है। उसने फूलदार पीली ड्रेस पहनी है। वह दौड़ रही है।",
        "चित्र में एक गंजा अधेड़ पुरुष है। उसने आधी आस्तीन की धारीदार सफ़ेद और नीली कमीज़ पहनी है। उसकी बाँहें सीने पर बँधी हैं।",
        "चित्र में एक वयस्क व्यक्ति है। शरीर का केवल कुछ हिस्सा दिखाई दे रहा है। उसके पास एक सूटकेस और एक फ़ोन है। व्यक्ति चल "
        "रहा है और फ़ोन पर बात कर रहा है।",
        "चित्र में एक महिला है। उसने हरी स्कर्ट और सफ़ेद सैंडल पहनी हैं। उसके पास एक बच्चागाड़ी है।",
        "चित्र में एक पुरुष है। उसने टोपी या चश्मा नहीं पहना है। उसके पास कोई सामान नहीं है।",
    ),
    "zh": (
        "画面中是一名青年男子，留着黑色短发，背对镜头。他身穿一件红色夹克和一条黑色长裤。他背着一个双肩包。",
        "画面中是一名老年女子，体型偏瘦。她身穿一件黑色大衣，脚穿一双棕色靴子，戴着眼镜。她坐着。",
        "画面中是一个人。该人身穿一件白色上衣和一件深蓝色下装，戴着鸭舌帽。该人站着，正在吸烟。",
        "画面中是一名女孩。她身穿一条黄色碎花连衣裙。她正在奔跑。",
        "画面中是一名中年男子，光头。他身穿一件白蓝两色条纹短袖衬衫。他双臂交叉在胸前。",
        "画面中是一名成年人，身体仅部分可见。该人拉着一个行李箱，拿着一部手机。该人正在行走，正在打电话。",
        "画面中是一名女子。她身穿一条绿色半身裙，脚穿一双白色凉鞋。她推着一辆婴儿车。",
        "画面中是一名男子。他没有佩戴帽子或眼镜。他没有携带物品。",
    ),
    "ja": (
        "画像には、短い黒髪の若い男性が後ろから写っている。赤いジャケットを着て、黒いズボンをはいている。"
        "リュックサックを背負っている。",
        "画像には、やせ型の高齢の女性が写っている。黒いコートを着て、茶色のブーツをはいている。"
        "眼鏡を身に着けている。座っている。",
        "画像には、人物が写っている。白いトップスを着て、紺色のボトムスをはいている。"
        "キャップを身に着けている。立って、たばこを吸っている。",
        "画像には、女の子が写っている。黄色い花柄のワンピースを着ている。走っている。",
        "画像には、スキンヘッドの中年の男性が写っている。白と青のストライプ柄の半袖シャツを着ている。腕を組んでいる。",
        "画像には、成人が写っている。体の一部だけが見えている。スーツケースと携帯電話を持っている。"
        "歩きながら、電話をしている。",
        "画像には、女性が写っている。緑色のスカートと白いサンダルをはいている。ベビーカーを押している。",
        "画像には、男性が写っている。帽子と眼鏡は身に着けていない。何も持っていない。",
    ),
}
